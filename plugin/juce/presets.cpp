// SPDX-License-Identifier: GPL-3.0-or-later
#include "presets.hpp"

#include "parameters.hpp"
#include "prompts_xml.hpp"

#include <bandmate/link/folders.hpp>

namespace bandmate::plugin
{

namespace
{

constexpr int preset_version = 1;
constexpr juce::int64 file_bytes_maximum = 1 << 20;
constexpr int name_length_maximum = 60;
const juce::String preset_tag = "bandmate_preset";
const juce::String parameter_tag = "parameter";
const juce::String suffix = ".bandmate";

} // namespace

bool is_preset_parameter (const juce::String& id)
{
    using Id = protocol::ParameterId;
    static const juce::StringArray others{
        parameter_id::volume,          parameter_id::mute,
        parameter_id::restart_on_play, parameter_id::limiter,
        parameter_id::bypass,          parameter_id::of (Id::seed),
        parameter_id::of (Id::timing), parameter_id::of (Id::logit_guidance)};
    return !others.contains (id);
}

void complete_parameters (juce::ValueTree& tree,
                          const juce::Array<juce::AudioProcessorParameter*>& parameters)
{
    for (auto* parameter : parameters)
    {
        const auto* ranged = dynamic_cast<juce::RangedAudioParameter*> (parameter);
        if (ranged == nullptr)
            continue;
        auto child = tree.getChildWithProperty ("id", ranged->getParameterID());
        if (!child.isValid())
        {
            child = juce::ValueTree ("PARAM");
            child.setProperty ("id", ranged->getParameterID(), nullptr);
            tree.appendChild (child, nullptr);
        }
        const auto value = static_cast<double> (child.getProperty ("value", std::nan ("")));
        if (!std::isfinite (value))
            child.setProperty ("value", ranged->convertFrom0to1 (ranged->getDefaultValue()), nullptr);
    }
}

juce::String preset_to_text (const Preset& preset)
{
    juce::XmlElement root (preset_tag);
    root.setAttribute ("version", preset_version);
    root.setAttribute ("name", preset.name);
    add_prompts (root, preset.session);
    for (const auto& [id, value] : preset.parameters)
    {
        auto* child = root.createNewChildElement (parameter_tag);
        child->setAttribute ("id", id);
        child->setAttribute ("value", double{value});
    }
    return root.toString();
}

std::optional<Preset> preset_from_text (const juce::String& text)
{
    const auto root = juce::parseXML (text);
    if (root == nullptr || !root->hasTagName (preset_tag) || root->getChildByName (prompt_tag) == nullptr)
        return std::nullopt;
    Preset preset;
    preset.name = root->getStringAttribute ("name").substring (0, name_length_maximum);
    preset.session.prompts = {};
    read_prompts (*root, preset.session);
    for (const auto* child : root->getChildWithTagNameIterator (parameter_tag))
    {
        const auto value = static_cast<float> (child->getDoubleAttribute ("value", std::nan ("")));
        if (std::isfinite (value))
            preset.parameters.emplace_back (child->getStringAttribute ("id"), value);
    }
    return preset;
}

juce::File PresetLibrary::default_folder()
{
    return juce::File (juce::String::fromUTF8 (link::config_folder().c_str())).getChildFile ("presets");
}

juce::StringArray PresetLibrary::names() const
{
    juce::StringArray names;
    for (const auto& file : folder_.findChildFiles (juce::File::findFiles, false, "*" + suffix))
        names.add (file.getFileNameWithoutExtension());
    names.sortNatural();
    return names;
}

std::optional<Preset> PresetLibrary::load (const juce::String& name) const
{
    const auto file = file_of (name);
    if (!file.existsAsFile() || file.getSize() > file_bytes_maximum)
        return std::nullopt;
    auto preset = preset_from_text (file.loadFileAsString());
    if (preset)
        preset->name = name; // the user may have renamed the file
    return preset;
}

bool PresetLibrary::save (const Preset& preset) const
{
    const auto name = legal_name (preset.name);
    return name.isNotEmpty() && folder_.createDirectory().wasOk() &&
           file_of (name).replaceWithText (preset_to_text (preset));
}

bool PresetLibrary::remove (const juce::String& name) const
{
    return file_of (name).deleteFile();
}

juce::String PresetLibrary::legal_name (const juce::String& name)
{
    return juce::File::createLegalFileName (name.trim()).substring (0, name_length_maximum).trim();
}

juce::File PresetLibrary::file_of (const juce::String& name) const
{
    return folder_.getChildFile (legal_name (name) + suffix);
}

} // namespace bandmate::plugin
