"""The command `aftersend`: for those who run a stack. It stands beside the package, and no function is shipped it."""
