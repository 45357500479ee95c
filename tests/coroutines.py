"""Coroutines from plain tests: in a thread of their own, for a browser's event loop may be running in this one."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Value = TypeVar("Value")


def run(work: Coroutine[Any, Any, Value]) -> Value:
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
