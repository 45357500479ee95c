"""The web process imports these services; what is heavy waits until it is asked for."""

import subprocess
import sys

HEAVY = ("anthropic", "genai_prices", "py3langid", "numpy", "torch", "sklearn")
CHILD = "import django, sys; django.setup(); import labeling.services, labeling.tasks; print([m for m in {} if m in sys.modules])"


def test_labelling_services_load_nothing_heavy():
    done = subprocess.run([sys.executable, "-c", CHILD.format(HEAVY)], capture_output=True, text=True, timeout=120)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
