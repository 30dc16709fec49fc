"""Videos -> clips -> features -> motion database: the offline side of MotionRAG, and the database's reader."""
