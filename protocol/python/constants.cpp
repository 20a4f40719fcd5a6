// SPDX-License-Identifier: Apache-2.0
// Every number and name of the wire, exported so that Python defines none of its own.
#include "binding.hpp"

#include <bandmate/protocol/messages.hpp>

#include <nanobind/stl/string.h>

#include <cctype>
#include <cstddef>
#include <string>

namespace bandmate::python
{

using namespace protocol;

namespace
{

std::string upper (std::string name)
{
    for (auto& c : name)
        c = static_cast<char> (std::toupper (static_cast<unsigned char> (c)));
    return name;
}

void bind_parameters (nb::module_& m)
{
    nb::class_<Parameter> (m, "Parameter", "A row of the parameter table.")
        .def_prop_ro ("id", [] (const Parameter& p) { return static_cast<std::uint32_t> (p.id); })
        .def_prop_ro ("name", [] (const Parameter& p) { return p.name; })
        .def_ro ("minimum", &Parameter::minimum)
        .def_ro ("maximum", &Parameter::maximum)
        .def_ro ("initial", &Parameter::initial)
        .def_ro ("is_whole", &Parameter::is_whole)
        .def ("__repr__", [] (const Parameter& p) { return "Parameter(" + std::string (p.name) + ")"; });

    nb::enum_<ParameterId> ids (m, "ParameterId", nb::is_arithmetic());
    nb::list table;
    for (const auto& parameter : parameters)
    {
        // The enumeration keeps the pointer; names made here must outlive the module.
        const auto* name = new std::string (upper (parameter.name));
        ids.value (name->c_str(), parameter.id);
        table.append (nb::cast (parameter, nb::rv_policy::copy));
    }
    m.attr ("PARAMETERS") = nb::tuple (table);
    m.def ("is_legal_parameter", &is_legal_parameter, nb::arg ("id"), nb::arg ("value"));
}

void bind_limits (nb::module_& m)
{
    m.attr ("MESSAGE_BYTES_MAXIMUM") = limits::message_bytes_maximum;
    m.attr ("MESSAGE_ENTRIES_MAXIMUM") = limits::message_entries_maximum;
    m.attr ("MESSAGE_DEPTH_MAXIMUM") = limits::message_depth_maximum;
    m.attr ("NAME_BYTES_MAXIMUM") = limits::name_bytes_maximum;
    m.attr ("TOKEN_BYTES_MAXIMUM") = limits::token_bytes_maximum;
    m.attr ("TEXT_BYTES_MAXIMUM") = limits::text_bytes_maximum;
    m.attr ("PATH_BYTES_MAXIMUM") = limits::path_bytes_maximum;
    m.attr ("PROMPT_BYTES_MAXIMUM") = limits::prompt_bytes_maximum;
    m.attr ("SOUND_BYTES_MAXIMUM") = limits::sound_bytes_maximum;
    m.attr ("STYLE_SECONDS_MINIMUM") = limits::style_seconds_minimum;
    m.attr ("STYLE_SECONDS_MAXIMUM") = limits::style_seconds_maximum;
    m.attr ("CLIP_SECONDS_MAXIMUM") = limits::clip_seconds_maximum;
    m.attr ("TAKE_SECONDS_MAXIMUM") = limits::take_seconds_maximum;
    m.attr ("MODELS_MAXIMUM") = limits::models_maximum;
    m.attr ("SESSIONS_MAXIMUM") = limits::sessions_maximum;
    m.attr ("SAMPLE_RATE_MINIMUM") = limits::sample_rate_minimum;
    m.attr ("SAMPLE_RATE_MAXIMUM") = limits::sample_rate_maximum;
    m.attr ("CHANNELS_MAXIMUM") = limits::channels_maximum;
    m.attr ("FRAME_SAMPLES_MAXIMUM") = limits::frame_samples_maximum;
    m.attr ("MILLISECONDS_MAXIMUM") = milliseconds_maximum;
}

} // namespace

nb::handle event_dtype()
{
    // Never freed: arrays made with it may outlive the module.
    static PyObject* dtype = nullptr;
    if (dtype != nullptr)
        return dtype;
    nb::dict fields;
    fields["names"] = nb::make_tuple ("time", "type", "channel", "index", "value", "aux");
    fields["formats"] = nb::make_tuple ("<u8", "<u2", "<u2", "<u4", "<f8", "<u8");
    fields["offsets"] =
        nb::make_tuple (offsetof (Event, time), offsetof (Event, type), offsetof (Event, channel),
                        offsetof (Event, index), offsetof (Event, value), offsetof (Event, aux));
    fields["itemsize"] = sizeof (Event);
    dtype = nb::object (nb::module_::import_ ("numpy").attr ("dtype") (fields)).release().ptr();
    return dtype;
}

void bind_constants (nb::module_& m)
{
    m.attr ("MESSAGE_VERSION") = message_version;
    m.attr ("MESSAGE_VERSION_MINIMUM") = message_version_minimum;
    m.attr ("LAYOUT_VERSION") = layout_version;
    m.attr ("HEADER_BYTES") = header_bytes;
    m.attr ("STYLE_SLOTS") = style_slots;
    bind_limits (m);

    nb::enum_<EventType> (m, "EventType", nb::is_arithmetic())
        .value ("EPOCH", EventType::epoch)
        .value ("NOTE_ON", EventType::note_on)
        .value ("NOTE_OFF", EventType::note_off)
        .value ("CONTROL", EventType::control)
        .value ("PITCH_BEND", EventType::pitch_bend)
        .value ("PRESSURE", EventType::pressure)
        .value ("ALL_NOTES_OFF", EventType::all_notes_off)
        .value ("PARAMETER", EventType::parameter)
        .value ("TRANSPORT", EventType::transport);
    nb::enum_<ServerState> states (m, "ServerState", nb::is_arithmetic());
    nb::dict state_names;
    states.value ("NONE", ServerState::none)
        .value ("LOADING", ServerState::loading)
        .value ("READY", ServerState::ready)
        .value ("FAILED", ServerState::failed)
        .value ("CLOSED", ServerState::closed);
    for (const auto state : {ServerState::none, ServerState::loading, ServerState::ready, ServerState::failed,
                             ServerState::closed})
        state_names[nb::cast (state)] = name_of (state);
    m.attr ("SERVER_STATE_NAMES") = state_names;

    m.attr ("EVENT_DTYPE") = event_dtype();
    m.attr ("ANY_CHANNEL") = any_channel;
    m.attr ("ANY_PITCH") = any_pitch;
    m.attr ("FRAME_SILENCE") = frame_flag::silence;
    m.attr ("FRAME_GAP") = frame_flag::gap;
    m.attr ("TRANSPORT_PLAYING") = transport_flag::playing;
    m.attr ("TRANSPORT_RECORDING") = transport_flag::recording;
    m.attr ("TRANSPORT_LOOPING") = transport_flag::looping;
    bind_parameters (m);

    nb::list codes;
    for (const auto* code : error_code::all)
        codes.append (nb::str (code));
    m.attr ("ERROR_CODES") = nb::tuple (codes);
}

} // namespace bandmate::python
