// SPDX-License-Identifier: Apache-2.0
// What the parts of the Python module share.
#pragma once

#include <bandmate/protocol/segment.hpp>

#include <nanobind/nanobind.h>

#include <memory>
#include <utility>

namespace bandmate::python
{

namespace nb = nanobind;

// A segment as Python holds it. The GIL makes all Python threads one producer and one consumer of each ring;
// only waits give it up, and they hold `segment` alive on their own, so that close() cannot unmap it under
// them.
struct SegmentHandle
{
    std::shared_ptr<protocol::Segment> segment;

    // Throws Error(bad_segment) after close().
    protocol::Segment& open() const
    {
        if (segment == nullptr)
            throw protocol::Error (protocol::error_code::bad_segment, "The segment is closed.");
        return *segment;
    }
};

// numpy's dtype of an event record.
nb::handle event_dtype();

void bind_constants (nb::module_& m);
void bind_segment (nb::module_& m);
void bind_streams (nb::module_& m);
void bind_waiting (nb::module_& m);

} // namespace bandmate::python
