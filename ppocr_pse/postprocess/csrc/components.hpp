#pragma once

#include "workspace.hpp"

namespace pse {

// Number the 4-connected components of runs (sorted by row, then begin) from 1 in the order of their first run;
// the numbers go to Run::label. Returns the highest.
std::int32_t number_components(std::vector<Run>& runs, std::vector<std::int32_t>& parent);

// Number the groups of cell runs and sort the runs by group. A group is a connected set of cells with text. No
// label can leave its group, so each group is worked on by itself. Returns how many there are; their numbers
// count from 1.
std::int32_t group_cells(Workspace& space);

}  // namespace pse
