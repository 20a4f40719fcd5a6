// SPDX-License-Identifier: GPL-3.0-or-later
#include "session_state.hpp"

#include "prompts_xml.hpp"

namespace bandmate::plugin
{

namespace
{

// 1: no surface, presets or window. A state of a later version is read as far as it is known.
constexpr int state_version = 2;
constexpr int editor_pixels_maximum = 16384;
const juce::String root_tag = "bandmate";

} // namespace

juce::MemoryBlock save_state (const SessionState& session, const juce::ValueTree& parameters,
                              EditorSize editor)
{
    juce::XmlElement root (root_tag);
    root.setAttribute ("version", state_version);
    root.setAttribute ("model", juce::String::fromUTF8 (session.model.c_str()));
    if (!session.bank.empty())
        root.setAttribute ("bank", juce::String::fromUTF8 (session.bank.c_str()));
    if (!session.latency.empty())
        root.setAttribute ("latency", juce::String::fromUTF8 (session.latency.c_str()));
    if (!session.preset.empty())
        root.setAttribute ("preset", juce::String::fromUTF8 (session.preset.c_str()));
    root.setAttribute ("program", session.program);
    if (editor.width > 0)
    {
        root.setAttribute ("editor_width", editor.width);
        root.setAttribute ("editor_height", editor.height);
    }
    add_prompts (root, session);
    root.addChildElement (parameters.createXml().release());
    juce::MemoryBlock block;
    juce::AudioProcessor::copyXmlToBinary (root, block);
    return block;
}

std::optional<LoadedState> load_state (const void* data, int bytes)
{
    const auto root = juce::AudioProcessor::getXmlFromBinary (data, bytes);
    if (root == nullptr || !root->hasTagName (root_tag))
        return std::nullopt;
    namespace limits = protocol::limits;
    LoadedState state;
    auto& session = state.session;
    session.model = cut_text (root->getStringAttribute ("model"), limits::name_bytes_maximum);
    session.bank = cut_text (root->getStringAttribute ("bank"), limits::path_bytes_maximum);
    session.latency = cut_text (root->getStringAttribute ("latency"), limits::name_bytes_maximum);
    session.preset = cut_text (root->getStringAttribute ("preset"), limits::name_bytes_maximum);
    session.program = root->getIntAttribute ("program");
    state.editor = {juce::jlimit (0, editor_pixels_maximum, root->getIntAttribute ("editor_width")),
                    juce::jlimit (0, editor_pixels_maximum, root->getIntAttribute ("editor_height"))};
    read_prompts (*root, session);
    for (const auto* child : root->getChildIterator())
        if (!child->hasTagName (prompt_tag))
            state.parameters = juce::ValueTree::fromXml (*child);
    return state;
}

} // namespace bandmate::plugin
