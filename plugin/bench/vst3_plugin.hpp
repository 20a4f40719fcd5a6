// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <pluginterfaces/base/funknown.h>
#include <pluginterfaces/vst/ivstaudioprocessor.h>
#include <pluginterfaces/vst/ivstcomponent.h>
#include <pluginterfaces/vst/ivsteditcontroller.h>
#include <pluginterfaces/vst/ivstevents.h>
#include <pluginterfaces/vst/ivsthostapplication.h>
#include <pluginterfaces/vst/ivstparameterchanges.h>

#include <optional>
#include <string>
#include <vector>

namespace bandmate::bench
{

// What a host gives a plugin with a block: notes in order of their offsets. Lives as long as its owner:
// references are not counted.
class Notes : public Steinberg::Vst::IEventList
{
public:
    void clear() { events_.clear(); }
    void add (bool is_on, int pitch, int offset);

    Steinberg::int32 PLUGIN_API getEventCount() override;
    Steinberg::tresult PLUGIN_API getEvent (Steinberg::int32 index, Steinberg::Vst::Event& event) override;
    Steinberg::tresult PLUGIN_API addEvent (Steinberg::Vst::Event& event) override;
    Steinberg::tresult PLUGIN_API queryInterface (const Steinberg::TUID id, void** object) override;
    Steinberg::uint32 PLUGIN_API addRef() override { return 1; }
    Steinberg::uint32 PLUGIN_API release() override { return 1; }

private:
    std::vector<Steinberg::Vst::Event> events_;
};

// One parameter's value from a block's beginning on.
class Change : public Steinberg::Vst::IParameterChanges, public Steinberg::Vst::IParamValueQueue
{
public:
    Change (Steinberg::Vst::ParamID id, double value) : id_ (id), value_ (value) {}

    Steinberg::int32 PLUGIN_API getParameterCount() override { return 1; }
    Steinberg::Vst::IParamValueQueue* PLUGIN_API getParameterData (Steinberg::int32) override { return this; }
    Steinberg::Vst::IParamValueQueue* PLUGIN_API addParameterData (const Steinberg::Vst::ParamID&,
                                                                   Steinberg::int32&) override
    {
        return nullptr;
    }
    Steinberg::Vst::ParamID PLUGIN_API getParameterId() override { return id_; }
    Steinberg::int32 PLUGIN_API getPointCount() override { return 1; }
    Steinberg::tresult PLUGIN_API getPoint (Steinberg::int32, Steinberg::int32& offset,
                                            Steinberg::Vst::ParamValue& value) override;
    Steinberg::tresult PLUGIN_API addPoint (Steinberg::int32, Steinberg::Vst::ParamValue,
                                            Steinberg::int32&) override
    {
        return Steinberg::kResultFalse;
    }
    Steinberg::tresult PLUGIN_API queryInterface (const Steinberg::TUID id, void** object) override;
    Steinberg::uint32 PLUGIN_API addRef() override { return 1; }
    Steinberg::uint32 PLUGIN_API release() override { return 1; }

private:
    Steinberg::Vst::ParamID id_;
    double value_;
};

// An instrument out of a VST3 bundle, live: as little of a host as plays one. Stereo out, no side chain.
class Plugin
{
public:
    // Throws std::runtime_error with one line.
    Plugin (const std::string& bundle, double rate, int block_maximum);
    ~Plugin();
    Plugin (const Plugin&) = delete;
    Plugin& operator= (const Plugin&) = delete;

    int latency_samples() const { return static_cast<int> (processor_->getLatencySamples()); }

    // What the plugin's own display of a parameter says. Throws if there is none of that name.
    std::string text_of (const std::string& parameter) const;

    // From the next block on, 0 to 1. Throws as text_of.
    void set (const std::string& parameter, double value);

    // One block of `count` samples; `left` and `right` are written. Makes no system call of its own.
    void process (Notes& notes, float* left, float* right, int count);

private:
    Steinberg::Vst::ParamID id_of (const std::string& parameter) const;

    void* library_ = nullptr;
    Steinberg::IPtr<Steinberg::Vst::IComponent> component_;
    Steinberg::IPtr<Steinberg::Vst::IAudioProcessor> processor_;
    Steinberg::IPtr<Steinberg::Vst::IEditController> controller_;
    std::optional<Change> change_;
    Steinberg::Vst::ProcessContext context_{};
};

} // namespace bandmate::bench
