"""How fast the compressor is, stage by stage and beside others."""
