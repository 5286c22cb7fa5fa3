"""The verdict of one deployment: the one that an update made, followed by its id and by nothing
else.

===============  ===================================================================================
``observation``  what ECS says of the deployment at one moment
``deaths``       why tasks of it stopped, and which of them died the same death
``verdict``      pure: what an observation proves, possibly nothing yet
``pace``         when to look again
``running``      which images the tasks really run
``target``       which revision a service is returned to
``follow``       looks until there is a verdict, or no time left
===============  ===================================================================================
"""
