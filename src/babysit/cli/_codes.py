"""How a command ends: done; done, and the answer is bad news; the input cannot be used; interrupted."""

DONE, BAD_NEWS, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
