// SPDX-License-Identifier: GPL-3.0-or-later
#include "prompts_xml.hpp"

namespace bandmate::plugin
{

namespace
{

float coordinate (const juce::XmlElement& prompt, const char* name, float otherwise)
{
    const auto value = static_cast<float> (prompt.getDoubleAttribute (name, double{otherwise}));
    return std::isfinite (value) ? juce::jlimit (0.0f, 1.0f, value) : otherwise;
}

} // namespace

std::string cut_text (const juce::String& text, size_t bytes_maximum)
{
    auto kept = text;
    while (kept.getNumBytesAsUTF8() > bytes_maximum)
        kept = kept.dropLastCharacters (1);
    return kept.toStdString();
}

void add_prompts (juce::XmlElement& parent, const SessionState& session)
{
    const auto initial = initial_surface_points();
    for (size_t slot = 0; slot < session.prompts.size(); ++slot)
    {
        auto* prompt = parent.createNewChildElement (prompt_tag);
        prompt->setAttribute ("slot", static_cast<int> (slot) + 1);
        prompt->setAttribute ("text", juce::String::fromUTF8 (session.prompts[slot].c_str()));
        if (const auto& sound = session.sounds[slot]; !sound.sound.empty())
        {
            prompt->setAttribute ("sound", juce::String::fromUTF8 (sound.sound.c_str()));
            prompt->setAttribute ("sound_name", juce::String::fromUTF8 (sound.name.c_str()));
        }
        if (!(session.points[slot] == initial[slot]))
        {
            prompt->setAttribute ("x", double{session.points[slot].x});
            prompt->setAttribute ("y", double{session.points[slot].y});
        }
    }
}

void read_prompts (const juce::XmlElement& parent, SessionState& session)
{
    namespace limits = protocol::limits;
    const auto initial = initial_surface_points();
    for (const auto* prompt : parent.getChildWithTagNameIterator (prompt_tag))
    {
        const auto slot = prompt->getIntAttribute ("slot");
        if (slot < 1 || slot > static_cast<int> (protocol::style_slots))
            continue;
        const auto i = static_cast<size_t> (slot) - 1;
        session.prompts[i] = cut_text (prompt->getStringAttribute ("text"), limits::prompt_bytes_maximum);
        session.sounds[i] = {
            cut_text (prompt->getStringAttribute ("sound"), limits::sound_bytes_maximum),
            cut_text (prompt->getStringAttribute ("sound_name"), limits::path_bytes_maximum)};
        session.points[i] = {coordinate (*prompt, "x", initial[i].x),
                             coordinate (*prompt, "y", initial[i].y)};
    }
}

} // namespace bandmate::plugin
