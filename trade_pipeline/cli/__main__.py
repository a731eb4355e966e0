from trade_pipeline.cli import main

main()
