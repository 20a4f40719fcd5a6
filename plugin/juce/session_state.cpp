// SPDX-License-Identifier: GPL-3.0-or-later
#include "session_state.hpp"

namespace bandmate::plugin
{

namespace
{

constexpr int state_version = 1;
const juce::String root_tag = "bandmate";
const juce::String prompt_tag = "prompt";

// At most `bytes_maximum` bytes of UTF-8, never half a character.
std::string cut (const juce::String& text, size_t bytes_maximum)
{
    auto kept = text;
    while (kept.getNumBytesAsUTF8() > bytes_maximum)
        kept = kept.dropLastCharacters (1);
    return kept.toStdString();
}

} // namespace

juce::MemoryBlock save_state (const SessionState& session, const juce::ValueTree& parameters)
{
    juce::XmlElement root (root_tag);
    root.setAttribute ("version", state_version);
    root.setAttribute ("model", juce::String::fromUTF8 (session.model.c_str()));
    for (size_t slot = 0; slot < session.prompts.size(); ++slot)
    {
        auto* prompt = root.createNewChildElement (prompt_tag);
        prompt->setAttribute ("slot", static_cast<int> (slot) + 1);
        prompt->setAttribute ("text", juce::String::fromUTF8 (session.prompts[slot].c_str()));
    }
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
    LoadedState state;
    state.session.model = cut (root->getStringAttribute ("model"), protocol::limits::name_bytes_maximum);
    for (const auto* prompt : root->getChildWithTagNameIterator (prompt_tag))
    {
        const auto slot = prompt->getIntAttribute ("slot");
        if (slot >= 1 && slot <= static_cast<int> (protocol::style_slots))
            state.session.prompts[static_cast<size_t> (slot) - 1] =
                cut (prompt->getStringAttribute ("text"), protocol::limits::prompt_bytes_maximum);
    }
    for (const auto* child : root->getChildIterator())
        if (!child->hasTagName (prompt_tag))
            state.parameters = juce::ValueTree::fromXml (*child);
    return state;
}

} // namespace bandmate::plugin
