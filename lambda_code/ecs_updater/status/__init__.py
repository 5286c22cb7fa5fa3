"""What runs, and what was deployed: everything that the API tells and nothing that it changes.

===========  ======================================================================
``query``    the parameters of a query, checked
``cursor``   where the next page begins, as a text that goes to the caller and back
``listing``  the services of every cluster, page by page
``history``  the ledger's updates, page by page
``views``    a service and an update as the API shows them
===========  ======================================================================
"""
