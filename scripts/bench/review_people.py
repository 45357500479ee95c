"""A reviewer without a browser: takes turns, keeps scores under names of their own, and sends again until they are kept."""

import random
import re
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field

import requests

from scripts.bench.review_books import Said

AGAIN = 0.25  # seconds before what got no answer is sent again
PATIENCE = 60.0  # seconds for which it is sent again
SCORES = [*(f"{half / 2:g}" for half in range(21)), "none"]
FIELD = re.compile(r'name="(score-[^"]+)"')


@dataclass
class Person:
    """`outbox` is all they ever sent; `counts` what else happened to them."""

    url: str
    name: str
    password: str
    outbox: list[Said] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.session, self.dice = requests.Session(), random.Random(self.name)  # noqa: S311 (must be repeatable)

    def sign_in(self) -> None:
        self.session.get(f"{self.url}/login", timeout=30)
        answer = self._post("/login", {"username": self.name, "password": self.password})
        if "/login" in answer.url:
            raise SystemExit(f"{self.name} could not sign in.")

    def page(self, address: str) -> str | None:
        """Its HTML, if it is one."""
        answer = self.session.get(self.url + address, timeout=60)
        return answer.text if "html" in answer.headers.get("Content-Type", "") else None

    def work(self, until: float, pause: float) -> None:
        """Review after review up to that moment of time.monotonic(); `pause` is the mean time of thought in seconds."""
        after = ""
        while time.monotonic() < until:
            answer = self.send("/review/next", {"after": after})
            if answer.status_code == 204:
                self.counts["queue empty"] += 1
                return
            after = self.review(answer.text, pause)

    def review(self, desk: str, pause: float) -> str:
        """Score the article on the desk, settle it where oracles' scores appear; the task's number."""
        task, read = value(desk, "data-task"), re.search(r'name="read" value="(\w*)"', desk)
        time.sleep(self.dice.expovariate(1 / pause))
        if self.dice.random() < 0.03:
            self.send(f"/review/{task}/skip", {"reason": "Not an article"})
            self.counts["skipped"] += 1
            return task
        fields = list(dict.fromkeys(FIELD.findall(desk)))
        chosen = self.choose(fields)
        said = Said(self.name, int(task), numbers(chosen), submission=str(uuid.uuid4()))
        self.outbox.append(said)
        sheet = {**chosen, "submission": said.submission, "read": read.group(1) if read else "", "seconds": "1"}
        answer = self.keep(task, sheet)
        self.counts[f"keep {answer.status_code}"] += 1
        if answer.status_code == 200 and value(answer.text, "data-state") == "settle":
            self.settle(task, fields, said)
        return task

    def keep(self, task: str, sheet: dict[str, str]) -> requests.Response:
        """Now and then the same is sent twice at once, as an impatient browser does."""
        if self.dice.random() < 0.1:
            self.counts["sent twice at once"] += 1
            twin = threading.Thread(target=self.send, args=(f"/review/{task}/", sheet))
            twin.start()
            answer = self.send(f"/review/{task}/", sheet)
            twin.join()
            return answer
        return self.send(f"/review/{task}/", sheet)

    def settle(self, task: str, fields: list[str], said: Said) -> None:
        chosen = self.choose(fields)
        said.final = numbers(chosen)
        answer = self.send(f"/review/{task}/finish", chosen)
        self.counts[f"finish {answer.status_code}"] += 1

    def choose(self, fields: list[str]) -> dict[str, str]:
        return {name: self.dice.choice(SCORES) for name in fields}

    def send(self, path: str, sheet: dict[str, str]) -> requests.Response:
        """Until there is an answer that isn't the server's own failure."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                answer = self._post(path, {**sheet, "part": "1"})
                if answer.status_code < 500:
                    return answer
                self.counts[f"answered {answer.status_code}"] += 1
            except requests.RequestException:
                self.counts["no answer"] += 1
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} got no answer from {path} for {PATIENCE:.0f} s.")
            time.sleep(AGAIN)

    def _post(self, path: str, sheet: dict[str, str]) -> requests.Response:
        token = next((cookie.value for cookie in self.session.cookies if cookie.name.startswith("csrf")), "")
        headers = {"X-CSRFToken": token or "", "Referer": self.url}
        return self.session.post(self.url + path, data=sheet, headers=headers, timeout=30)


def value(html: str, name: str) -> str:
    found = re.search(rf'{name}="([^"]*)"', html)
    return found.group(1) if found else ""


def numbers(chosen: dict[str, str]) -> list[float | None]:
    return [None if score == "none" else float(score) for score in chosen.values()]
