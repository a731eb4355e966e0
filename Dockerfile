FROM python:3.11-slim
WORKDIR /app
COPY requirements.lock pyproject.toml README.md LICENSE ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY dagster.yaml workspace.yaml ./
COPY trade_pipeline trade_pipeline
RUN pip install --no-cache-dir --no-deps --no-build-isolation -e . \
    && useradd --create-home --uid 1000 trader \
    && install -d -o trader -g trader -m 0700 /var/lib/trade-pipeline
USER trader
ENV PYTHONUNBUFFERED=1
CMD ["trade-pipeline", "--help"]
