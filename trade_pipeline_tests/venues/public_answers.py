"""What the exchanges document of their symbols, prices and candles. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trade_pipeline_tests.venues.dialects import SINCE_MS

SECOND = SINCE_MS // 1000 // 60 * 60
"""Open time of the candle, in seconds."""
MS = SECOND * 1000

_COINBASE_PRODUCT = {
        "product_id": "BTC-USDT", "price": "100.5", "base_increment": "0.00000001", "quote_increment": "0.01",
        "price_increment": "0.01", "quote_min_size": "1", "quote_max_size": "10000000", "base_min_size": "0.00000001",
        "base_max_size": "3400", "base_name": "Bitcoin", "quote_name": "Tether", "is_disabled": False,
        "new": False, "status": "online", "cancel_only": False, "limit_only": False, "post_only": False,
        "trading_disabled": False, "auction_mode": False, "product_type": "SPOT", "quote_currency_id": "USDT",
        "base_currency_id": "BTC", "base_display_symbol": "BTC", "quote_display_symbol": "USDT", "view_only": False,
    }  # fmt: skip


def _coinbase_products(fields: Mapping[str, Any]) -> Any:
    """Futures are asked for at the same address; there are none."""
    return {"products": [] if fields.get("product_type") == "FUTURE" else [_COINBASE_PRODUCT]}


SYMBOLS: dict[str, dict[str, Any]] = {
    "kraken": {"/AssetPairs": {"error": [], "result": {"XBTUSDT": {
        "altname": "XBTUSDT", "wsname": "XBT/USDT", "aclass_base": "currency", "base": "XXBT",
        "aclass_quote": "currency", "quote": "USDT", "pair_decimals": 1, "cost_decimals": 5, "lot_decimals": 8,
        "lot_multiplier": 1, "leverage_buy": [], "leverage_sell": [], "fees": [[0, 0.4]], "fees_maker": [[0, 0.25]],
        "fee_volume_currency": "ZUSD", "margin_call": 80, "margin_stop": 40, "ordermin": "0.00005", "costmin": "0.5",
        "tick_size": "0.1", "status": "online",
    }}}},
    "bybit": {"/instruments-info": {"retCode": 0, "result": {"category": "spot", "list": [{
        "symbol": "BTCUSDT", "baseCoin": "BTC", "quoteCoin": "USDT", "innovation": "0", "status": "Trading",
        "marginTrading": "both",
        "lotSizeFilter": {"basePrecision": "0.000001", "quotePrecision": "0.00000001", "minOrderQty": "0.000048",
                          "maxOrderQty": "71.73956243", "minOrderAmt": "5", "maxOrderAmt": "4000000"},
        "priceFilter": {"tickSize": "0.01"},
    }]}}},
    "okx": {"/public/instruments": {"code": "0", "msg": "", "data": [{
        "instType": "SPOT", "instId": "BTC-USDT", "baseCcy": "BTC", "quoteCcy": "USDT", "tickSz": "0.1",
        "lotSz": "0.00000001", "minSz": "0.00001", "maxLmtSz": "9999999999", "maxMktSz": "1000000",
        "maxLmtAmt": "20000000", "maxMktAmt": "1000000", "state": "live", "ctVal": "", "alias": "", "expTime": "",
        "listTime": "1606468572000", "lever": "10", "settleCcy": "", "uly": "",
    }]}},
    "coinbase": {"/market/products": _coinbase_products},
    "kucoin": {"/api/v2/symbols": {"code": "200000", "data": [{
        "symbol": "BTC-USDT", "name": "BTC-USDT", "baseCurrency": "BTC", "quoteCurrency": "USDT",
        "feeCurrency": "USDT", "market": "USDS", "baseMinSize": "0.00001", "quoteMinSize": "0.1",
        "baseMaxSize": "10000000000", "quoteMaxSize": "99999999", "baseIncrement": "0.00000001",
        "quoteIncrement": "0.000001", "priceIncrement": "0.1", "priceLimitRate": "0.1", "minFunds": "0.1",
        "isMarginEnabled": True, "enableTrading": True, "feeCategory": 1, "makerFeeCoefficient": "1.00",
        "takerFeeCoefficient": "1.00", "st": False,
    }]}},
    "mexc": {"/exchangeInfo": {"symbols": [{
        "symbol": "BTCUSDT", "status": "1", "baseAsset": "BTC", "baseAssetPrecision": 8, "quoteAsset": "USDT",
        "quotePrecision": 2, "quoteAssetPrecision": 2, "baseCommissionPrecision": 8, "quoteCommissionPrecision": 2,
        "orderTypes": ["LIMIT", "MARKET", "LIMIT_MAKER"], "isSpotTradingAllowed": True, "isMarginTradingAllowed": False,
        "quoteAmountPrecision": "1", "baseSizePrecision": "0.000001", "permissions": ["SPOT"], "filters": [],
        "maxQuoteAmount": "4000000", "makerCommission": "0", "takerCommission": "0.0005",
        "quoteAmountPrecisionMarket": "1", "maxQuoteAmountMarket": "100000",
    }]}, "/contract/detail": {"success": True, "code": 0, "data": []}},
}  # fmt: skip

GRID = {
    "kraken": ("0.1", "1E-8", "0.00005", "0.5"),
    "bybit": ("0.01", "0.000001", "0.000048", "5"),
    "okx": ("0.1", "1E-8", "0.00001", "0"),
    "coinbase": ("0.01", "1E-8", "0.00000001", "1"),
    "kucoin": ("0.1", "1E-8", "0.00001", "0.1"),
    "mexc": ("0.01", "1E-8", "0.000001", "1"),
}
"""Price step, amount step, least amount, least notional."""

TOPS: dict[str, dict[str, Any]] = {
    "kraken": {"/public/Ticker": {"error": [], "result": {"XBTUSDT": {
        "a": ["101.0", "1", "2.5"], "b": ["100.0", "1", "1.5"], "c": ["100.5", "0.1"], "v": ["1", "2"],
        "p": ["100", "100"], "t": [1, 2], "l": ["99", "98"], "h": ["102", "103"], "o": "100.0"}}}},
    "bybit": {"/market/tickers": {"retCode": 0, "time": MS, "result": {"category": "spot", "list": [{
        "symbol": "BTCUSDT", "bid1Price": "100.0", "bid1Size": "1.5", "ask1Price": "101.0", "ask1Size": "2.5",
        "lastPrice": "100.5", "prevPrice24h": "99", "price24hPcnt": "0.01", "highPrice24h": "103",
        "lowPrice24h": "98", "turnover24h": "200", "volume24h": "2"}]}}},
    "okx": {"/market/tickers": {"code": "0", "data": [{
        "instType": "SPOT", "instId": "BTC-USDT", "last": "100.5", "lastSz": "0.1", "askPx": "101.0", "askSz": "2.5",
        "bidPx": "100.0", "bidSz": "1.5", "open24h": "100", "high24h": "103", "low24h": "98", "volCcy24h": "200",
        "vol24h": "2", "ts": str(MS)}]}},
    "coinbase": {"/products/BTC-USDT/ticker": {"best_bid": "100.0", "best_ask": "101.0", "trades": [{
        "trade_id": "1", "product_id": "BTC-USDT", "price": "100.5", "size": "0.1", "side": "BUY",
        "time": "2023-11-14T22:13:00Z", "bid": "", "ask": ""}]}},
    "kucoin": {"/market/allTickers": {"code": "200000", "data": {"time": MS, "ticker": [{
        "symbol": "BTC-USDT", "buy": "100.0", "bestBidSize": "1.5", "sell": "101.0", "bestAskSize": "2.5",
        "last": "100.5", "high": "103", "low": "98", "vol": "2", "volValue": "200", "averagePrice": "100"}]}}},
    "mexc": {"/ticker/24hr": {
        "symbol": "BTCUSDT", "bidPrice": "100.0", "bidQty": "1.5", "askPrice": "101.0", "askQty": "2.5",
        "lastPrice": "100.5", "openPrice": "100", "highPrice": "103", "lowPrice": "98", "volume": "2",
        "quoteVolume": "200", "openTime": MS, "closeTime": MS, "count": None}},
}  # fmt: skip
"""Bid 100 (1.5), ask 101 (2.5), last 100.5."""

CANDLES: dict[str, dict[str, Any]] = {
    "kraken": {"/public/OHLC": {"error": [], "result": {"last": SECOND, "XBTUSDT": [
        [SECOND, "1.0", "2.0", "0.5", "1.5", "1.2", "10.0", 3]]}}},
    "bybit": {"/market/kline": {"retCode": 0, "result": {"category": "spot", "symbol": "BTCUSDT", "list": [
        [str(MS), "1.0", "2.0", "0.5", "1.5", "10.0", "12.0"]]}}},
    "okx": {"/market/candles": {"code": "0", "data": [
        [str(MS), "1.0", "2.0", "0.5", "1.5", "10.0", "12.0", "12.0", "1"]]}},
    "coinbase": {"/products/BTC-USDT/candles": {"candles": [
        {"start": str(SECOND), "low": "0.5", "high": "2.0", "open": "1.0", "close": "1.5", "volume": "10.0"}]}},
    "kucoin": {"/market/candles": {"code": "200000", "data": [
        [str(SECOND), "1.0", "1.5", "2.0", "0.5", "10.0", "12.0"]]}},
    "mexc": {"/klines": [[MS, "1.0", "2.0", "0.5", "1.5", "10.0", MS + 60_000, "12.0"]]},
}  # fmt: skip
"""Open 1, high 2, low 0.5, close 1.5, volume 10 for 12 of quote, in three trades."""

TOLD = {
    "kraken": (None, 3),
    "bybit": (12.0, None),
    "okx": (12.0, None),
    "coinbase": (None, None),
    "kucoin": (12.0, None),
    "mexc": (12.0, None),
}
"""Quote volume and trades, where the exchange tells them."""
