"""The pure core: facts, outcomes, suppressions, and the rules that join them. No I/O, no clock, no environment."""
