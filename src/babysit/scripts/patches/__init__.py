"""Patched copies of scripts, and advice on what to write. Only this needs libcst; running a script does not."""

from babysit.scripts.patches._advice import advice_for
from babysit.scripts.patches._patch import Patched, Written, check_copy, is_folder, patched, write_patched
from babysit.scripts.patches._places import with_places

__all__ = ["Patched", "Written", "advice_for", "check_copy", "is_folder", "patched", "with_places", "write_patched"]
