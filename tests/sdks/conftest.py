"""The test bed that the tables of all SDKs share, and a Meter for single calls."""

from fixtures import bed as bed
from fixtures import memory as memory
from fixtures import meter as meter
from fixtures import server as server
