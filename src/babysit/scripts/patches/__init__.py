"""Remedies in a script's text, and what to write for them: they need libcst, which running a script does not."""

from babysit.scripts.patches._advice import advice_for
from babysit.scripts.patches._patch import Patched, Written, check_copy, patched, write_patched

__all__ = ["Patched", "Written", "advice_for", "check_copy", "patched", "write_patched"]
