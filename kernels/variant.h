// Names of the entry points of one variant: the same source is compiled once an instruction set.
#pragma once

#ifndef LS_VARIANT
#define LS_VARIANT baseline
#endif

#define LS_JOIN_EXPANDED(name, variant) name##_##variant
#define LS_JOIN(name, variant) LS_JOIN_EXPANDED(name, variant)
#define LS_NAMED(name) LS_JOIN(name, LS_VARIANT)
#ifdef _WIN32
#define LS_EXPORT extern "C" __declspec(dllexport)
#else
#define LS_EXPORT extern "C" __attribute__((visibility("default")))
#endif
