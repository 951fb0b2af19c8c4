"""How much memory this machine has."""

from __future__ import annotations

import os

SMALL = 4 * 2**30  # assumed where the system does not say


def physical_memory() -> int:
    """Bytes of memory of this machine."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not every system has sysconf
        return SMALL
