"""`python -m aftersend.classify` compiles the shipped rules, so that a cold start need not: a step of the build."""

from __future__ import annotations

from aftersend.classify.shipped import store_compiled

if __name__ == "__main__":
    store_compiled()
