"""Turns a workflow as the editor saves it into the prompt that the editor would send: by position and by slot."""
