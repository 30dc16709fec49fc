"""A small world of moving sprites whose first frame does not give the motion away; every clip is drawn from a seed."""
