#!/usr/bin/env python3
"""Distillery's command line; with no database of your own it starts one for the command."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "distillery_site.settings")
    from distillery_site import celery  # noqa: F401  (binds shared tasks to the app)
    from distillery_site import local

    from django.core.management import execute_from_command_line

    with local.services_for(sys.argv):
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
