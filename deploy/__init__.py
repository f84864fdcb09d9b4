"""Deploys the stack: reads what its owner wants, checks it, builds it, shows what changes, and hands it to SAM."""
