"""AssemblyAI: streaming v3, and v2 as the tutorial speaks it."""
