"""The same questions by a bare loop: the provider's SDK and a semaphore, no books, no tables. Prints one JSON object.

python -m scripts.bench.peer URL KEY COUNT REQUESTS_A_MINUTE WORDS
"""

import asyncio
import json
import resource
import sys
import time

import anthropic

from labeling.prompting.prompts import Prompt, Rubric, prompt_for
from scripts.bench.texts import RUBRIC, text_of

AT_ONCE = 400


async def ask(client: anthropic.AsyncAnthropic, lanes: asyncio.Semaphore, prompt: Prompt, text: str) -> bool:
    question = prompt.question(key="x", article_key="x", text=text)
    async with lanes:
        message = await client.messages.create(
            model="claude-haiku-5-5",
            max_tokens=4000,
            system=question.system,
            messages=[{"role": "user", "content": question.user}],
            output_config={"format": {"type": "json_schema", "schema": question.schema}, "effort": "low"},
        )
    answer = next(block.text for block in message.content if block.type == "text")
    return bool(json.loads(answer)["scores"])


async def loop(url: str, key: str, count: int, a_minute: float, words: int) -> int:
    prompt = prompt_for([Rubric(RUBRIC["slug"], RUBRIC["dimensions"], RUBRIC["prompt"])])
    lanes, begun = asyncio.Semaphore(AT_ONCE), time.monotonic()
    async with anthropic.AsyncAnthropic(api_key=key, base_url=url, max_retries=0) as client:
        asked = []
        for number in range(count):
            await asyncio.sleep(max(0.0, begun + number * 60 / a_minute - time.monotonic()))
            asked.append(asyncio.create_task(ask(client, lanes, prompt, text_of("peer", number, words))))
        return sum(await asyncio.gather(*asked))


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    url, key, count, a_minute, words = sys.argv[1:]
    before = cpu()
    labels = asyncio.run(loop(url, key, int(count), float(a_minute) * 0.97, int(words)))
    print(json.dumps({"labels": labels, "cpu_ms_per_label": (cpu() - before) * 1000 / labels}))
