"""How fast a provider may be asked: one bucket for each model, shared by all workers on all machines through Redis.

Requests, input and output tokens a minute each fill their own level. The limits are the operator's, or what the
provider's headers say, or found out: it starts carefully, climbs while all goes well and falls when asked for patience.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import redis
from django.conf import settings

from distillery_site.common.errors import BadInput
from labeling.oracles.base import Limits

log = logging.getLogger(__name__)

UNKNOWN = 300.0  # requests a minute to begin with where nobody told a limit
HEADROOM = 0.99  # of the limit: clocks differ
BURST_SECONDS = 0.75  # what may be asked at once after a pause
SLOWEST = 0.1  # of the limit, however often the provider asks for patience
FALL, CLIMB = 0.9, 0.03  # at a request for patience, at most once a second; each second without one
GROWTH = 1.02  # a second, of a limit nobody told, while it is used up
KEEP_SECONDS = 3600

# Levels refill with time; what was used beyond the estimate makes them negative, which is a wait.
SCRIPT = """
local key, mode = KEYS[1], ARGV[1]
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1e6
local names = {'requests', 'input', 'output'}
local state = {}
local stored = redis.call('HGETALL', key)
for i = 1, #stored, 2 do state[stored[i]] = tonumber(stored[i + 1]) end
local p = cjson.decode(ARGV[2])
local last = state.at or now
local passed = math.max(0, now - last)
state.at = now
state.factor = math.min(1, (state.factor or 1) + p.climb * passed)
for _, name in ipairs(names) do
  local told = p.limits[name]
  if told then state['limit_' .. name] = told end
  local limit = state['limit_' .. name]
  if name == 'requests' and not limit then limit = state.found or p.unknown; state.found = limit end
  if limit then
    local rate = limit * p.headroom * state.factor / 60
    local burst = math.max(1, rate * p.burst)
    local level = state[name]
    if level == nil then level = burst end
    state[name] = math.min(burst, level + rate * passed)
    state['rate_' .. name] = rate
  end
end
local granted, wait = 0, 0
if mode == 'take' then
  granted = p.wanted
  if (state.blocked or 0) > now then granted = 0; wait = state.blocked - now end
  for i, name in ipairs(names) do
    local each = p.each[i]
    if state[name] ~= nil and each > 0 then
      local fits = math.floor(state[name] / each + 1e-6)
      if name ~= 'requests' and state[name] > 0 then fits = math.max(1, fits) end
      if fits < granted then
        granted = math.max(0, fits)
        if granted == 0 then wait = math.max(wait, (each - state[name]) / state['rate_' .. name]) end
      end
    end
  end
  for i, name in ipairs(names) do
    if state[name] ~= nil then state[name] = state[name] - granted * p.each[i] end
  end
  if state.found and not state.limit_requests and granted > 0 and granted < p.wanted then
    state.found = state.found * p.growth ^ math.min(1, passed)
  end
elseif mode == 'use' then
  for i, name in ipairs(names) do
    if state[name] ~= nil then state[name] = state[name] - p.each[i] end
  end
elseif mode == 'slow' then
  if now - (state.slowed or 0) > 1 then
    state.slowed = now
    state.factor = math.max(p.slowest, state.factor * p.fall)
    if state.found and not state.limit_requests then state.found = math.max(1, state.found * p.fall) end
  end
  if p.seconds > 0 then state.blocked = math.max(state.blocked or 0, now + p.seconds) end
end
local out = {}
for name, value in pairs(state) do out[#out + 1] = name; out[#out + 1] = tostring(value) end
redis.call('HSET', key, unpack(out))
redis.call('EXPIRE', key, p.keep)
return {granted, tostring(wait)}
"""


@dataclass(frozen=True)
class Grant:
    """`count` questions may go now; where it is none, the next may in about `wait` seconds."""

    count: int
    wait: float = 0.0


class Gate(Protocol):
    def take(self, wanted: int, tokens_in: float, tokens_out: float) -> Grant: ...

    def use(self, requests: int, tokens_in: float, tokens_out: float) -> None: ...

    def slow_down(self, seconds: float) -> None: ...

    def learn(self, limits: Limits | None) -> None: ...


class Open:
    """For oracles that cost nothing and know no hurry."""

    def take(self, wanted: int, tokens_in: float, tokens_out: float) -> Grant:
        return Grant(wanted)

    def use(self, requests: int, tokens_in: float, tokens_out: float) -> None:
        """Nobody counts."""

    def slow_down(self, seconds: float) -> None:
        """Nobody asks for it."""

    def learn(self, limits: Limits | None) -> None:
        """There are none."""


class Bucket:
    """The shared one. While Redis is away nothing is granted: it comes back, and a limit passed can't be taken back."""

    def __init__(self, name: str, limits: Limits | None = None, client: "redis.Redis | None" = None):
        self.name, self.limits = name, limits or Limits()
        self._told = limits is not None and limits.requests is not None  # by the operator: headers don't change it
        self._redis = client or redis.Redis.from_url(settings.REDIS_URL, socket_timeout=3, socket_connect_timeout=3)
        self._script = self._redis.register_script(SCRIPT)

    def take(self, wanted: int, tokens_in: float, tokens_out: float) -> Grant:
        found = self._run("take", wanted=wanted, each=(1, tokens_in, tokens_out))
        return Grant(int(found[0]), float(found[1])) if found else Grant(0, 1.0)

    def use(self, requests: int, tokens_in: float, tokens_out: float) -> None:
        """Correct the estimates by what was used; negative gives back."""
        if requests or tokens_in or tokens_out:
            self._run("use", each=(requests, tokens_in, tokens_out))

    def slow_down(self, seconds: float) -> None:
        """The provider asked for patience: nothing goes for `seconds`, and then less than before."""
        self._run("slow", seconds=seconds)

    def learn(self, limits: Limits | None) -> None:
        """Take over what the provider's headers say, where the operator said nothing."""
        if limits is not None and not self._told and limits != self.limits:
            self.limits = limits

    def _run(self, mode: str, **values: Any) -> list[Any]:

        limits = {"requests": self.limits.requests, "input": self.limits.input_tokens, "output": self.limits.output_tokens}
        fixed = {"climb": CLIMB, "fall": FALL, "slowest": SLOWEST, "burst": BURST_SECONDS, "headroom": HEADROOM}
        more = {"unknown": UNKNOWN, "growth": GROWTH, "keep": KEEP_SECONDS}
        given = {"limits": {name: limit for name, limit in limits.items() if limit}, **fixed, **more, **values}
        try:
            return self._script(keys=[f"rate:{self.name}"], args=[mode, json.dumps(given)])
        except redis.RedisError as error:
            log.warning("The rate of %s can't be looked up: %s", self.name, error)
            return []


def told_limits(name: str, entries: Sequence[str]) -> Limits | None:
    """The operator's limits for `provider/model` from ORACLE_LIMITS, "provider/model=requests/input/output"; 0 is none."""
    for entry in entries:
        model, _, numbers = entry.partition("=")
        if model.strip() == name:
            parts = numbers.split("/")
            if not 1 <= len(parts) <= 3 or not all(part.strip().isdigit() for part in parts):
                raise BadInput(f"ORACLE_LIMITS: {entry!r} must look like {name}=4000/2000000/400000.")
            return Limits(*(int(part) or None for part in parts))
    return None


def gate_for(provider: str, model: str) -> Bucket:
    name = f"{provider}/{model}"
    return Bucket(name, told_limits(name, settings.ORACLE_LIMITS))


def allowed(provider: str, model: str) -> float | None:
    """Requests a minute, for people to see: what the operator or the provider told, or what was found out so far."""
    name = f"{provider}/{model}"
    told = told_limits(name, settings.ORACLE_LIMITS)
    if told is not None and told.requests:
        return told.requests
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1) as client:
            limit, found = client.hmget(f"rate:{name}", "limit_requests", "found")
    except redis.RedisError:
        return None
    return float(limit or found) if limit or found else None
