"""What a benchmark tells while it runs: lines on stderr, for stdout ends with the figures."""

import sys
import time


def tell(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line.strip()}", file=sys.stderr, flush=True)
