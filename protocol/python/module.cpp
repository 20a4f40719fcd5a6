// SPDX-License-Identifier: Apache-2.0
#include "binding.hpp"

#include <exception>

namespace nb = nanobind;

namespace
{

// Python's own class of protocol::Error, with `code`, `message` and `hint`. Lives as long as the module.
PyObject* error_class = nullptr;

void translate (const std::exception_ptr& thrown, void*)
{
    try
    {
        std::rethrow_exception (thrown);
    }
    catch (const bandmate::protocol::Error& error)
    {
        nb::object instance = nb::borrow (error_class) (nb::str (error.what()));
        instance.attr ("code") = nb::str (error.code().c_str());
        instance.attr ("message") = nb::str (error.what());
        instance.attr ("hint") = nb::str (error.hint().c_str());
        PyErr_SetObject (error_class, instance.ptr());
    }
}

} // namespace

NB_MODULE (_protocol, m)
{
    m.doc() = "The wire between plugin and server: segment, rings, constants (see protocol/PROTOCOL.md).";
    error_class = PyErr_NewExceptionWithDoc (
        "bandmate._protocol.Error",
        "A segment or message that was refused. `code` is one of ERROR_CODES, `message` says what is wrong, "
        "`hint` what to do (may be empty).",
        PyExc_Exception, nullptr);
    m.attr ("Error") = nb::borrow (error_class);
    nb::register_exception_translator (translate);
    bandmate::python::bind_constants (m);
    bandmate::python::bind_segment (m);
    bandmate::python::bind_streams (m);
    bandmate::python::bind_waiting (m);
}
