// 4 pixels a vector: NEON, which every aarch64 has.
// Included by simd.h, which says what the members mean.
#pragma once

#include <arm_neon.h>

namespace ls {

using Vec = float32x4_t;

LS_LANE Vec root(Vec x) { return vsqrtq_f32(x); }
LS_LANE Vec inverse_root(Vec x) { return 1.0f / vsqrtq_f32(x); }
LS_LANE Vec reciprocal(Vec x) { return 1.0f / x; }
LS_LANE Vec rough_reciprocal(Vec x) { return 1.0f / x; }
LS_LANE Vec endless(Vec) { return Vec{} + INFINITY; }
LS_LANE Vec lesser(Vec a, Vec b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
LS_LANE Vec greater(Vec a, Vec b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
LS_LANE bool any(Vec x) { return vminvq_u32(vceqzq_f32(x)) == 0; }

template <>
struct Lanes<Vec> {
  static constexpr int width = 4;
  LS_LANE Vec load(const uint8_t* at) {
    uint32_t four;
    memcpy(&four, at, sizeof four);
    uint16x8_t pairs = vmovl_u8(vcreate_u8(four));
    return vcvtq_f32_u32(vmovl_u16(vget_low_u16(pairs)));
  }
  LS_LANE Vec load(const uint16_t* at) { return vcvtq_f32_u32(vmovl_u16(vld1_u16(at))); }
  LS_LANE Vec load(const float* at) { return vld1q_f32(at); }
  LS_LANE uint16x4_t shorts(Vec x) { return vmovn_u32(vcvtq_u32_f32(x)); }
  LS_LANE void store(float* at, Vec x) { vst1q_f32(at, x); }
  LS_LANE void store(uint16_t* at, Vec x) { vst1_u16(at, shorts(x)); }
  LS_LANE void store(uint8_t* at, Vec x) {
    uint16x4_t pairs = shorts(x);
    uint32_t four = vget_lane_u32(vreinterpret_u32_u8(vmovn_u16(vcombine_u16(pairs, pairs))), 0);
    memcpy(at, &four, sizeof four);
  }
  LS_LANE void stream(float* at, Vec x) { store(at, x); }  // stores that miss need no fetch here
  LS_LANE void weave(Vec& x, Vec& y, Vec& z) {
    float memory[12];
    const float32x4x3_t planes = {{x, y, z}};
    vst3q_f32(memory, planes);
    x = vld1q_f32(memory), y = vld1q_f32(memory + 4), z = vld1q_f32(memory + 8);
  }
  LS_LANE void unweave(Vec& x, Vec& y, Vec& z) {
    float memory[12];
    vst1q_f32(memory, x), vst1q_f32(memory + 4, y), vst1q_f32(memory + 8, z);
    float32x4x3_t planes = vld3q_f32(memory);
    x = planes.val[0], y = planes.val[1], z = planes.val[2];
  }
  LS_LANE void fence() {}
};

}  // namespace ls
