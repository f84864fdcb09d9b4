"""`python -m aftersend.classify` compiles the shipped rules and policy, so that no start has to: a step of a build."""

from __future__ import annotations

from aftersend.classify.shipped import store_compiled
from aftersend.core import policy

if __name__ == "__main__":
    store_compiled()
    policy.COMPILED.write_bytes(policy.compile_shipped())
