#!/usr/bin/env python3
"""A NATS client that is not ours, driven by tests/bridge/foreign.rs: `foreign.py URL`.

It reads orders from its input and answers on its output, each a line of JSON. What the headers of a bridge mean it
knows from the table at `Envelope` alone, so it is also what a plain client may look like.
"""

import asyncio
import json
import sys
from datetime import timedelta
from urllib.parse import quote, unquote

import nats


def say(**answer):
    print(json.dumps(answer), flush=True)


def envelope(headers):
    """The headers of a bridge, read."""
    headers = dict(headers or {})
    read = {}
    if "Chanbus-Time" in headers:
        # Not as a float, which has no room for nanoseconds.
        seconds, _, decimals = headers.pop("Chanbus-Time").partition(".")
        read["time"] = [int(seconds), int(decimals.ljust(9, "0"))]
    if "Chanbus-Source" in headers:
        read["source"] = unquote(headers.pop("Chanbus-Source"))
    if "Chanbus-Metadata" in headers:
        read["metadata"] = json.loads(headers.pop("Chanbus-Metadata"))
    if "Chanbus-Cause" in headers:
        read["cause"] = [unquote(topic) for topic in headers.pop("Chanbus-Cause").split(" ")]
    if "Chanbus-Origin" in headers:
        origin, *counts = headers.pop("Chanbus-Origin").split(" ")
        read["origin"] = unquote(origin)
        if counts:
            read["number"] = [int(counts[0]), unquote(counts[1])]
        if counts[2:]:
            read["order"] = int(counts[2])
    read["others"] = headers
    return read


def headers(told):
    """Headers as a bridge reads them."""
    made = dict(told.get("others", {}))
    if "time" in told:
        seconds, nanos = told["time"]
        made["Chanbus-Time"] = f"{seconds}.{nanos:09}"
    if "source" in told:
        made["Chanbus-Source"] = quote(told["source"])
    if "metadata" in told:
        made["Chanbus-Metadata"] = json.dumps(told["metadata"])
    if "cause" in told:
        made["Chanbus-Cause"] = " ".join(quote(topic) for topic in told["cause"])
    if "origin" in told:
        made["Chanbus-Origin"] = quote(told["origin"])
    return made or None


def message(it):
    return {
        "subject": it.subject,
        "payload": json.loads(it.data) if it.data else None,
        "envelope": envelope(it.headers),
    }


async def tell(it):
    say(message=message(it))


async def subscribe(client, order):
    await client.subscribe(order["subject"], queue=order.get("group", ""), cb=tell)
    await client.flush()
    say(done="subscribe")


async def publish(client, order):
    for it in order["messages"]:
        await client.publish(it["subject"], it["bytes"].encode(), headers=headers(it))
    await client.flush()
    say(done="publish")


async def store(client, order):
    """Publishes to a stream, which says what it makes of each message."""
    stream = client.jetstream()
    acks = []
    for it in order["messages"]:
        ack = await stream.publish(it["subject"], it["bytes"].encode(), headers=headers(it))
        acks.append([ack.stream, bool(ack.duplicate)])
    say(done="store", acks=acks)


async def read_stream(client, order):
    """What a stream is, and so many of its messages, by a consumer that ends with this."""
    stream = client.jetstream()
    info = await stream.stream_info(order["stream"])
    window = info.config.duplicate_window
    if isinstance(window, timedelta):
        window = window.total_seconds()
    consumer = await stream.pull_subscribe(order["subject"], stream=order["stream"])
    messages = []
    while len(messages) < order["count"]:
        for it in await consumer.fetch(order["count"] - len(messages), timeout=30):
            messages.append(message(it))
            await it.ack()
    say(
        done="stream",
        subjects=info.config.subjects,
        count=info.state.messages,
        window=window,
        messages=messages,
    )


ORDERS = {"subscribe": subscribe, "publish": publish, "store": store, "stream": read_stream}


async def main():
    client = await nats.connect(sys.argv[1])
    say(done="connect")
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order = json.loads(line)
        await ORDERS[order["do"]](client, order)
    await client.close()


asyncio.run(main())
