"""How the tiny pack is made: a procedural demo world, its encoders, a base video model, and MotionRAG's two stages."""
