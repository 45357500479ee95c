#!/usr/bin/env python3
"""Distillery's command line; with no database of your own it starts one for the command."""

import io
import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "distillery_site.settings")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # a log shows each line when it is written, as a terminal does
    try:
        from django.core.management import execute_from_command_line

        from distillery_site import celery, local  # noqa: F401  (celery binds shared tasks to the app)
        from distillery_site.common.env import BadSetting
        from distillery_site.common.errors import DistilleryError
    except ModuleNotFoundError as error:
        sys.exit(f"{error.name} is not installed for {sys.executable}: run make setup, then use .venv/bin/python.")
    try:
        with local.services_for(sys.argv):
            execute_from_command_line(sys.argv)
    except (DistilleryError, BadSetting) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
