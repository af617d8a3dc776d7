#pragma once

/// Marks what the shared library offers; everything else in it is hidden.
#define TICKMESH_EXPORT __attribute__((visibility("default")))
