"""Whatever comes in, only errors of this package come out, in bounded time and memory."""
