// SPDX-License-Identifier: GPL-3.0-or-later
#include "vst3_plugin.hpp"

#include <pluginterfaces/vst/ivstmessage.h>

#include <dlfcn.h>

#include <filesystem>
#include <stdexcept>

// The interfaces' identities; the SDK leaves them to each program.
DEF_CLASS_IID (Steinberg::Vst::IAudioProcessor)
DEF_CLASS_IID (Steinberg::Vst::IComponent)
DEF_CLASS_IID (Steinberg::Vst::IConnectionPoint)
DEF_CLASS_IID (Steinberg::Vst::IEditController)
DEF_CLASS_IID (Steinberg::Vst::IHostApplication)

namespace bandmate::bench
{

using namespace Steinberg;

namespace
{

// Plugins ask who hosts them, and make the messages they send to their other half with it.
class Host : public Vst::IHostApplication
{
public:
    tresult PLUGIN_API getName (Vst::String128 name) override
    {
        constexpr char text[] = "bandmate bench";
        for (size_t i = 0; i < sizeof (text); ++i)
            name[i] = static_cast<Vst::TChar> (text[i]);
        return kResultOk;
    }
    tresult PLUGIN_API createInstance (TUID, TUID, void** object) override
    {
        *object = nullptr;
        return kNotImplemented;
    }
    tresult PLUGIN_API queryInterface (const TUID id, void** object) override
    {
        const bool is_mine = FUnknownPrivate::iidEqual (id, Vst::IHostApplication::iid) ||
                             FUnknownPrivate::iidEqual (id, FUnknown::iid);
        *object = is_mine ? this : nullptr;
        return is_mine ? kResultOk : kNoInterface;
    }
    uint32 PLUGIN_API addRef() override { return 1; }
    uint32 PLUGIN_API release() override { return 1; }
};

Host host;

template <typename Interface>
IPtr<Interface> created (IPluginFactory& factory, const TUID& id)
{
    void* object = nullptr;
    if (factory.createInstance (id, Interface::iid, &object) != kResultOk || object == nullptr)
        throw std::runtime_error ("the plugin's parts cannot be made");
    return owned (static_cast<Interface*> (object));
}

template <typename Function>
Function symbol (void* library, const char* name)
{
    auto* found = dlsym (library, name);
    if (found == nullptr)
        throw std::runtime_error (std::string ("this is no VST3: it has no ") + name);
    return reinterpret_cast<Function> (found);
}

std::string narrow (const Vst::TChar* text)
{
    std::string out;
    for (; *text != 0; ++text)
        out += *text < 128 ? static_cast<char> (*text) : '?';
    return out;
}

} // namespace

void Notes::add (bool is_on, int pitch, int offset)
{
    Vst::Event event{};
    event.sampleOffset = offset;
    event.type = static_cast<uint16> (is_on ? Vst::Event::kNoteOnEvent : Vst::Event::kNoteOffEvent);
    if (is_on)
    {
        event.noteOn.pitch = static_cast<int16> (pitch);
        event.noteOn.velocity = 0.8f;
        event.noteOn.noteId = -1;
    }
    else
    {
        event.noteOff.pitch = static_cast<int16> (pitch);
        event.noteOff.noteId = -1;
    }
    events_.push_back (event);
}

int32 Notes::getEventCount()
{
    return static_cast<int32> (events_.size());
}

tresult Notes::getEvent (int32 index, Vst::Event& event)
{
    if (index < 0 || index >= getEventCount())
        return kInvalidArgument;
    event = events_[static_cast<size_t> (index)];
    return kResultOk;
}

tresult Notes::addEvent (Vst::Event&)
{
    return kNotImplemented;
}

tresult Notes::queryInterface (const TUID, void** object)
{
    *object = nullptr;
    return kNoInterface;
}

tresult Change::getPoint (int32, int32& offset, Vst::ParamValue& value)
{
    offset = 0;
    value = value_;
    return kResultOk;
}

tresult Change::queryInterface (const TUID, void** object)
{
    *object = nullptr;
    return kNoInterface;
}

Plugin::Plugin (const std::string& bundle, double rate, int block_maximum)
{
    std::string path;
    std::error_code none;
    for (const auto& entry : std::filesystem::recursive_directory_iterator (bundle, none))
        if (entry.path().extension() == ".so")
            path = entry.path().string();
    if (path.empty())
        throw std::runtime_error (bundle + " is no VST3 for Linux");
    library_ = dlopen (path.c_str(), RTLD_LAZY | RTLD_LOCAL);
    if (library_ == nullptr)
        throw std::runtime_error (std::string (dlerror()));
    symbol<bool (*) (void*)> (library_, "ModuleEntry") (library_);
    const auto factory = owned (symbol<IPluginFactory* (*) ()> (library_, "GetPluginFactory")());
    PClassInfo info;
    for (int32 i = 0; i < factory->countClasses() && !component_; ++i)
        if (factory->getClassInfo (i, &info) == kResultOk &&
            std::string (info.category) == kVstAudioEffectClass)
            component_ = created<Vst::IComponent> (*factory, info.cid);
    if (!component_ || component_->initialize (&host) != kResultOk)
        throw std::runtime_error ("the plugin does not start");
    TUID id;
    if (component_->getControllerClassId (id) == kResultOk)
    {
        controller_ = created<Vst::IEditController> (*factory, id);
        controller_->initialize (&host);
        const FUnknownPtr<Vst::IConnectionPoint> here (component_), there (controller_);
        if (here && there)
        {
            here->connect (there);
            there->connect (here);
        }
    }
    const FUnknownPtr<Vst::IAudioProcessor> processor (component_);
    if (!processor || !controller_)
        throw std::runtime_error ("the plugin has no sound or no parameters");
    processor_ = processor;
    Vst::ProcessSetup setup{Vst::kRealtime, Vst::kSample32, block_maximum, rate};
    Vst::SpeakerArrangement stereo = Vst::SpeakerArr::kStereo;
    processor_->setBusArrangements (nullptr, 0, &stereo, 1);
    component_->activateBus (Vst::kAudio, Vst::kOutput, 0, true);
    component_->activateBus (Vst::kEvent, Vst::kInput, 0, true);
    if (processor_->setupProcessing (setup) != kResultOk || component_->setActive (true) != kResultOk)
        throw std::runtime_error ("the plugin does not take this rate or block");
    processor_->setProcessing (true);
    context_.sampleRate = rate;
    context_.tempo = 120.0;
    context_.state = Vst::ProcessContext::kPlaying | Vst::ProcessContext::kTempoValid;
}

Plugin::~Plugin()
{
    if (processor_)
        processor_->setProcessing (false);
    if (component_)
    {
        component_->setActive (false);
        const FUnknownPtr<Vst::IConnectionPoint> here (component_), there (controller_);
        if (here && there)
        {
            here->disconnect (there);
            there->disconnect (here);
        }
        component_->terminate();
    }
    if (controller_)
        controller_->terminate();
    processor_ = nullptr;
    controller_ = nullptr;
    component_ = nullptr;
    if (library_ == nullptr)
        return;
    if (auto* leave = dlsym (library_, "ModuleExit"))
        reinterpret_cast<bool (*)()> (leave)();
    dlclose (library_);
}

Vst::ParamID Plugin::id_of (const std::string& parameter) const
{
    Vst::ParameterInfo info;
    for (int32 i = 0; i < controller_->getParameterCount(); ++i)
        if (controller_->getParameterInfo (i, info) == kResultOk && narrow (info.title) == parameter)
            return info.id;
    throw std::runtime_error ("the plugin has no parameter '" + parameter + "'");
}

std::string Plugin::text_of (const std::string& parameter) const
{
    Vst::String128 text{};
    controller_->getParamStringByValue (id_of (parameter), 0.0, text);
    return narrow (text);
}

void Plugin::set (const std::string& parameter, double value)
{
    change_.emplace (id_of (parameter), value);
}

void Plugin::process (Notes& notes, float* left, float* right, int count)
{
    float* channels[] = {left, right};
    Vst::AudioBusBuffers output{};
    output.numChannels = 2;
    output.channelBuffers32 = channels;
    Vst::ProcessData data{};
    data.processMode = Vst::kRealtime;
    data.symbolicSampleSize = Vst::kSample32;
    data.numSamples = count;
    data.numOutputs = 1;
    data.outputs = &output;
    data.inputEvents = &notes;
    data.inputParameterChanges = change_ ? &*change_ : nullptr;
    data.processContext = &context_;
    processor_->process (data);
    context_.projectTimeSamples += count;
    change_.reset();
}

} // namespace bandmate::bench
