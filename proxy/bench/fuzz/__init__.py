"""`moos bench fuzz`: seeded hostile requests over every door of a real proxy."""
