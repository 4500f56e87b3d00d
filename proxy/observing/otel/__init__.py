"""OpenTelemetry, behind the extra `otel`: spans and metrics of counts, times and configured names, no texts."""
