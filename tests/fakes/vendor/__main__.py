"""The server as a process of its own."""

import argparse
import asyncio
import signal

from tests.fakes.vendor import KEY, FakeVendor


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.vendor", description=__doc__)
    parser.add_argument("--port", type=int, default=9100)
    parser.add_argument("--seconds", type=float, default=0.0, help="how long each answer takes")
    parser.add_argument("--rpm", type=int, help="requests a minute")
    parser.add_argument("--itpm", type=int, help="input tokens a minute")
    parser.add_argument("--otpm", type=int, help="output tokens a minute")
    parser.add_argument("--no-journal", action="store_true", help="keep counts only")
    options = parser.parse_args()
    server = FakeVendor(options.port)
    server.state.seconds, server.state.keep = options.seconds, not options.no_journal
    server.state.limit(options.rpm, options.itpm, options.otpm)
    asyncio.run(serve(server))


async def serve(server: FakeVendor) -> None:
    await server.listen()
    addresses = {"ANTHROPIC_BASE_URL": "", "GEMINI_BASE_URL": "", "OPENAI_BASE_URL": "/v1"}
    keys = " ".join(f"{name.replace('BASE_URL', 'API_KEY')}={KEY}" for name in addresses)
    print(" ".join(f"{name}={server.url}{path}" for name, path in addresses.items()), keys, flush=True)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()


if __name__ == "__main__":
    main()
