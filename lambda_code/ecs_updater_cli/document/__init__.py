"""The file of deployments. Pure: text in, entries or problems out.

============  ==============================================================
``place``     where in a file something stands, and what is wrong there
``value``     a value with its place, and the values in it
``reader``    JSON or YAML as values with places
``nodes``     YAML's nodes, and where its aliases stand
``scalar``    what a word in YAML means, and how it was written
``entries``   the list, with the defaults under each entry
``identity``  which service an event names, by name or ARN
``checks``    every problem of every entry
============  ==============================================================
"""
