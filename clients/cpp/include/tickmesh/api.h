#pragma once

/// \file
/// Everything of the library.

#include "tickmesh/arrow_schema.h"
#include "tickmesh/connection_options.h"
#include "tickmesh/filter.h"
#include "tickmesh/registered_schema.h"
#include "tickmesh/schema_change.h"
#include "tickmesh/schema_registry_client.h"
#include "tickmesh/schema_watch.h"
#include "tickmesh/status.h"
#include "tickmesh/tick_client.h"
#include "tickmesh/tick_read.h"
#include "tickmesh/tick_tail.h"
#include "tickmesh/tick_writer.h"
#include "tickmesh/version.h"
