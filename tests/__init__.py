"""The tests of RLHF Lab; a package, so that `python -m tests.browser.screenshots` works."""
