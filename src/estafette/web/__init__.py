"""The people's face: the dashboard, in French and English, rendered on the server.

Takes: requests of people who signed in. Gives: pages that work without script, and better with it. Owns: sign-in, words, components, charts.
Never: SQL, decisions about mail; every figure comes from the rooms below.
"""
