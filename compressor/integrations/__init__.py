"""The compressor inside other libraries, a file for each, and each behind the extra of its name."""
