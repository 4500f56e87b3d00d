"""Who is compressed when: queues, fair turns, deadlines, one computation for many askers."""
