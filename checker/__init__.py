"""What it means: every checker maps a history to a verdict."""

from checker._verdict import Counterexample, Unknown, Valid, Verdict, merge_valid

__all__ = ["Counterexample", "Unknown", "Valid", "Verdict", "merge_valid"]
